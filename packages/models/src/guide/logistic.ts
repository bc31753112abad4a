import type { LogisticModel } from "./gate.ts";

export interface Observation {
  readonly features: readonly number[];
  readonly isOne: boolean;
  readonly weight: number;
}

/** Logistic regression by Newton's method, with a little weight against large coefficients of the standardised features. */
export function fitLogistic(observations: readonly Observation[]): LogisticModel {
  const size = observations[0]?.features.length ?? 0;
  const standard = standards(observations, size);
  const rows = observations.map(({ features, isOne, weight }) => ({
    values: [1, ...features.map((value, at) => (value - (standard[at]?.mean ?? 0)) / (standard[at]?.deviation ?? 1))],
    isOne,
    weight,
  }));
  let model = Array<number>(size + 1).fill(0);
  const penalty = ridge * rows.reduce((sum, { weight }) => sum + weight, 0);
  for (let step = 0; step < steps; step++) {
    const gradient = model.map((each, at) => (at === 0 ? 0 : penalty * each));
    const curvature = model.map((_, row) => model.map((__, column) => (row === column && row > 0 ? penalty : 1e-9)));
    for (const { values, isOne, weight } of rows) {
      const chance = 1 / (1 + Math.exp(-values.reduce((sum, value, at) => sum + value * (model[at] ?? 0), 0)));
      const slope = (chance - (isOne ? 1 : 0)) * weight;
      const bend = chance * (1 - chance) * weight;
      for (const [row, one] of values.entries()) {
        gradient[row] = (gradient[row] ?? 0) + slope * one;
        const line = curvature[row] ?? [];
        for (const [column, other] of values.entries()) line[column] = (line[column] ?? 0) + bend * one * other;
      }
    }
    const change = solve(curvature, gradient);
    model = model.map((each, at) => each - (change[at] ?? 0));
  }
  const weights = standard.map(({ deviation }, at) => (model[at + 1] ?? 0) / deviation);
  const shift = weights.reduce((sum, weight, at) => sum + weight * (standard[at]?.mean ?? 0), 0);
  return { weights, intercept: (model[0] ?? 0) - shift };
}

const ridge = 1e-4;
const steps = 12;

function standards(observations: readonly Observation[], size: number): { mean: number; deviation: number }[] {
  return Array.from({ length: size }, (_, at) => {
    const values = observations.map(({ features }) => features[at] ?? 0);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    return { mean, deviation: Math.sqrt(variance) || 1 };
  });
}

/** Gauss's elimination with the largest pivot; the matrix is small, and positive definite by its penalty. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, at) => [...row, right[at] ?? 0]);
  for (let column = 0; column < rows.length; column++) {
    const size = (row: number): number => Math.abs(rows[row]?.[column] ?? 0);
    let pivot = column;
    for (let row = column + 1; row < rows.length; row++) if (size(row) > size(pivot)) pivot = row;
    const [here, there] = [rows[column], rows[pivot]];
    if (here === undefined || there === undefined) continue;
    rows[column] = there;
    rows[pivot] = here;
    for (const [at, row] of rows.entries()) {
      if (at === column) continue;
      const factor = (row[column] ?? 0) / (there[column] ?? 1);
      for (let cell = column; cell < row.length; cell++) row[cell] = (row[cell] ?? 0) - factor * (there[cell] ?? 0);
    }
  }
  return rows.map((row, at) => (row.at(-1) ?? 0) / (row[at] ?? 1));
}
