export { compareDocx as compare } from "./compare.ts";
export { createDocx as create } from "./create.ts";
export { describeDocx as describe } from "./describe.ts";
export { editDocx as edit, editSchema } from "./edit.ts";
