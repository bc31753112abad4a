import { totalmem } from "node:os";

/** What loaded models may take together: so many bytes, or a share of the memory that nobody else uses. */
export interface MemoryBudget {
  readonly bytes?: number | undefined;
  /** 0 to 1; 0.8 unless told. */
  readonly share?: number | undefined;
}

/** What the machine has, or the container that the process is confined to. */
export interface MachineMemory {
  freeBytes(): number;
  totalBytes(): number;
}

export const thisMachine: MachineMemory = {
  freeBytes: () => process.availableMemory(),
  totalBytes: () => {
    const constrained = process.constrainedMemory();
    return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  },
};

const defaultShare = 0.8;

/** What loaded models may take now, when they have taken `takenBytes` of the memory already. */
export function limitOf(budget: MemoryBudget, machine: MachineMemory, takenBytes: number): number {
  const { bytes, share = defaultShare } = budget;
  return bytes ?? Math.floor(share * (machine.freeBytes() + takenBytes));
}

/** What they may ever take, were nothing else running. */
export function highestLimitOf(budget: MemoryBudget, machine: MachineMemory): number {
  const { bytes, share = defaultShare } = budget;
  return bytes ?? Math.floor(share * machine.totalBytes());
}

/** For people: `1.4 GB`. */
export function inWords(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
