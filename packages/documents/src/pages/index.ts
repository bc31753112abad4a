export { compare } from "./compare.ts";
export { describe, renderPage, type PageToRender } from "./describe.ts";
