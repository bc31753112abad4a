export { compareDocx as compare } from "./compare.ts";
export { describeDocx as describe } from "./describe.ts";
