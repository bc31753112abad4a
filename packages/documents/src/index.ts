export type * from "./comparison.ts";
export {
  compareDocuments,
  createDocument,
  describeDocument,
  editDocument,
  editSchemaOf,
  renderPage,
} from "./compare.ts";
export {
  describedCharacters,
  type ComparisonInput,
  type DescriptionInput,
  type DocumentKind,
  type Edited,
  type EditInput,
  type Schema,
} from "./format.ts";
export { documentKindOf } from "./kinds.ts";
export { documentLimits } from "./limits.ts";
