import { describedCharacters, type DescriptionInput } from "../format.ts";
import { refusal } from "../refusal.ts";
import { readBlocks, type Block } from "./blocks.ts";
import { warningsOf } from "./warnings.ts";

const blockCharacters = 20_000;

/**
 * A text document for a model: one line for each block, first the address that edits name, then what it is, then its text as
 * a JSON string, so that no text can look like another line.
 */
export function describeDocx({ bytes, part }: Omit<DescriptionInput, "kind">): string {
  const { docx, blocks } = readBlocks(bytes);
  const start = part === undefined ? 0 : blocks.findIndex((block) => block.address === part);
  if (start === -1) throw refusal(`The document has no part "${part}".`);
  const lines =
    part === undefined
      ? heading(
          blocks,
          warningsOf(docx, blocks, undefined).map(
            ({ message, where }) => `${message}${where === null ? "" : ` (${where})`}`,
          ),
        )
      : [];
  let room = describedCharacters - lines.join("\n").length;
  for (const block of blocks.slice(start)) {
    const line = lineOf(block);
    room -= line.length + 1;
    if (room < 0 && block.address !== "" && block.address !== part) {
      lines.push(`(More follows: ask for part "${block.address}".)`);
      break;
    }
    lines.push(line);
  }
  return lines.join("\n");
}

function heading(blocks: readonly Block[], warnings: readonly string[]): string[] {
  const paragraphs = blocks.filter((block) => block.content).length;
  const rows = blocks.filter((block) => block.role === "table-row").length;
  return [
    `Text document: ${paragraphs} paragraphs, ${rows} table rows. Each line: address, kind, text as a JSON string.`,
    ...warnings.slice(0, 20).map((warning) => `Warning: ${warning}`),
  ];
}

function lineOf(block: Block): string {
  const style = block.style === null ? "" : `, ${JSON.stringify(block.style)}`;
  const level = block.level === null ? "" : ` ${block.level}`;
  const kind = `[${block.role}${level}${style}]`;
  if (block.cells) {
    const cells = block.cells.map(
      (cell) => `c${cell.address.slice(cell.address.lastIndexOf(".c") + 2)} ${quoted(cell.text)}`,
    );
    return `${block.address} ${kind} ${cells.join(" | ")}`;
  }
  return `${block.address === "" ? "-" : block.address} ${kind} ${quoted(block.text)}`;
}

function quoted(text: string): string {
  if (text.length <= blockCharacters) return JSON.stringify(text);
  return `${JSON.stringify(text.slice(0, blockCharacters).toWellFormed())} (the first ${blockCharacters} of ${text.length} characters)`;
}
