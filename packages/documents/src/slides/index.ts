export { compare } from "./compare.ts";
export { create } from "./create.ts";
export { describe } from "./describe.ts";
export { edit } from "./edit.ts";
export { editSchema } from "./edits.ts";
