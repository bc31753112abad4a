export { compare, describe } from "./compare.ts";
export { readImage } from "./read-image.ts";
