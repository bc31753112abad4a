export { compare, differenceFrom } from "./compare.ts";
export { factsOf } from "./facts.ts";
