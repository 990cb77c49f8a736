export { DATATYPES, type Datatype, traitsOf } from "./datatype.ts";
export { elementCount, type Tensor, typedElements } from "./tensor.ts";
export { type BytesResult, bytesOfContents, isEmptyContents } from "./tensor-contents.ts";
