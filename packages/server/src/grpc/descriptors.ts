import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  createFileRegistry,
  fromBinary,
  type DescMessage,
  type DescService,
  type FileRegistry,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { packageName } from "./services.ts";

/** What buf made of proto/: ours, health and reflection, and what they import. */
export async function readDescriptors(): Promise<FileRegistry> {
  const bytes = await readFile(join(import.meta.dirname, "benchtop.binpb"));
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
}

/** A message of ours, by its name below the package. */
export function messageNamed(registry: FileRegistry, name: string): DescMessage {
  return found(registry.getMessage(`${packageName}.${name}`), name);
}

export function serviceNamed(registry: FileRegistry, fullName: string): DescService {
  return found(registry.getService(fullName), fullName);
}

function found<Descriptor>(descriptor: Descriptor | undefined, name: string): Descriptor {
  if (descriptor !== undefined) return descriptor;
  throw new Error(`The descriptors do not know ${name}: run  node scripts/proto.ts`);
}
