import {
  Braces,
  FileCode2,
  FileImage,
  FileSpreadsheet,
  FileText,
  File as Plain,
  Presentation,
  type LucideIcon,
} from "lucide-react";

const byExtension: Readonly<Record<string, LucideIcon>> = Object.fromEntries(
  (
    [
      [FileText, "md markdown txt rst log pdf docx odt"],
      [FileSpreadsheet, "csv tsv xlsx ods"],
      [Presentation, "pptx odp"],
      [FileImage, "png jpg jpeg gif webp svg avif"],
      [Braces, "json jsonl yaml yml toml ini xml"],
      [FileCode2, "ts tsx js jsx mjs py rs go java c h cpp rb sh sql html css"],
    ] as const
  ).flatMap(([icon, extensions]) => extensions.split(" ").map((extension) => [extension, icon])),
);

export function FileIcon(props: { readonly path: string }) {
  const Icon = byExtension[props.path.slice(props.path.lastIndexOf(".") + 1).toLowerCase()] ?? Plain;
  return <Icon size={14} aria-hidden className="shrink-0 text-faint" />;
}
