/**
 * How GGUF spells values and weights, as the llama.cpp that Benchtop installs has it (ggml.h, gguf.h). A test asks that very
 * library for every row of `tensorTypes` and `fileTypes`.
 */

/** The types of single values, by their number in the file. */
export const scalarTypes = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  u64: 10,
  i64: 11,
  f64: 12,
} as const;
export type GgufScalarType = keyof typeof scalarTypes;
export const arrayType = 9;

/** Bytes of a value; a string says its own length. */
export const scalarBytes = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  bool: 1,
  string: 0,
  u64: 8,
  i64: 8,
  f64: 8,
} as const satisfies Record<GgufScalarType, number>;

export function scalarTypeOf(number: number): GgufScalarType | undefined {
  return scalarTypeNames[number];
}

const scalarTypeNames: readonly (GgufScalarType | undefined)[] = Array.from({ length: 13 }, (_, number) =>
  (Object.keys(scalarTypes) as GgufScalarType[]).find((name) => scalarTypes[name] === number),
);

export interface TensorType {
  readonly name: string;
  readonly number: number;
  /** Weights that are stored together; a row holds whole blocks. */
  readonly blockWeights: number;
  readonly blockBytes: number;
}

const type = (number: number, name: string, blockWeights: number, blockBytes: number): TensorType => ({
  number,
  name,
  blockWeights,
  blockBytes,
});

/** The types of weights. Numbers that are missing were given up by ggml. */
export const tensorTypes: readonly TensorType[] = [
  type(0, "F32", 1, 4),
  type(1, "F16", 1, 2),
  type(2, "Q4_0", 32, 18),
  type(3, "Q4_1", 32, 20),
  type(6, "Q5_0", 32, 22),
  type(7, "Q5_1", 32, 24),
  type(8, "Q8_0", 32, 34),
  type(9, "Q8_1", 32, 36),
  type(10, "Q2_K", 256, 84),
  type(11, "Q3_K", 256, 110),
  type(12, "Q4_K", 256, 144),
  type(13, "Q5_K", 256, 176),
  type(14, "Q6_K", 256, 210),
  type(15, "Q8_K", 256, 292),
  type(16, "IQ2_XXS", 256, 66),
  type(17, "IQ2_XS", 256, 74),
  type(18, "IQ3_XXS", 256, 98),
  type(19, "IQ1_S", 256, 50),
  type(20, "IQ4_NL", 32, 18),
  type(21, "IQ3_S", 256, 110),
  type(22, "IQ2_S", 256, 82),
  type(23, "IQ4_XS", 256, 136),
  type(24, "I8", 1, 1),
  type(25, "I16", 1, 2),
  type(26, "I32", 1, 4),
  type(27, "I64", 1, 8),
  type(28, "F64", 1, 8),
  type(29, "IQ1_M", 256, 56),
  type(30, "BF16", 1, 2),
  type(34, "TQ1_0", 256, 54),
  type(35, "TQ2_0", 256, 66),
  type(39, "MXFP4", 32, 17),
  type(40, "NVFP4", 64, 36),
  type(41, "Q1_0", 128, 18),
  type(42, "Q2_0", 64, 18),
];

export const tensorTypeByNumber: ReadonlyMap<number, TensorType> = new Map(
  tensorTypes.map((each) => [each.number, each]),
);
export const tensorTypeByName: ReadonlyMap<string, TensorType> = new Map(tensorTypes.map((each) => [each.name, each]));

/** `general.file_type`, as llama.h numbers it. */
export const fileTypes: Readonly<Record<number, string>> = {
  0: "F32",
  1: "F16",
  2: "Q4_0",
  3: "Q4_1",
  7: "Q8_0",
  8: "Q5_0",
  9: "Q5_1",
  10: "Q2_K",
  11: "Q3_K_S",
  12: "Q3_K_M",
  13: "Q3_K_L",
  14: "Q4_K_S",
  15: "Q4_K_M",
  16: "Q5_K_S",
  17: "Q5_K_M",
  18: "Q6_K",
  19: "IQ2_XXS",
  20: "IQ2_XS",
  21: "Q2_K_S",
  22: "IQ3_XS",
  23: "IQ3_XXS",
  24: "IQ1_S",
  25: "IQ4_NL",
  26: "IQ3_S",
  27: "IQ3_M",
  28: "IQ2_S",
  29: "IQ2_M",
  30: "IQ4_XS",
  31: "IQ1_M",
  32: "BF16",
  36: "TQ1_0",
  37: "TQ2_0",
  38: "MXFP4_MOE",
  39: "NVFP4",
  40: "Q1_0",
  41: "Q2_0",
};

/** Where the data of tensors may begin, unless `general.alignment` says otherwise. */
export const defaultAlignment = 32;
/** ggml keeps names in 64 bytes, the last of which is 0. */
export const tensorNameBytes = 63;
export const tensorDimensions = 4;

export function padded(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
