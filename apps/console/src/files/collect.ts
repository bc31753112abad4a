/** A file that a person dropped or chose, with the path that it gets in the workbench. */
export interface PickedFile {
  readonly path: string;
  readonly file: File;
}

/** Files and whole folders of a drop. Must be called within the drop event: the browser forgets its items after it. */
export async function collectDropped(transfer: DataTransfer): Promise<PickedFile[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  // Not every source of a drag (another program's attachment, say) has entries for its files.
  if (entries.length === 0) return collectChosen(transfer.files);
  const picked: PickedFile[] = [];
  for (const entry of entries) await collectEntry(entry, "", picked);
  return picked;
}

/** Files of an `<input type=file>`; those of a folder come with their path. */
export function collectChosen(list: FileList | null): PickedFile[] {
  return [...(list ?? [])].map((file) => ({
    path: file.webkitRelativePath === "" ? file.name : file.webkitRelativePath,
    file,
  }));
}

async function collectEntry(entry: FileSystemEntry, prefix: string, picked: PickedFile[]): Promise<void> {
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    picked.push({ path: prefix + entry.name, file });
  } else if (isFolder(entry)) {
    const reader = entry.createReader();
    for (;;) {
      // A reader answers with at most 100 entries at a time.
      const children = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
      if (children.length === 0) return;
      for (const child of children) await collectEntry(child, `${prefix}${entry.name}/`, picked);
    }
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}
