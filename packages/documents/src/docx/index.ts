export { compareDocx as compare } from "./compare.ts";
