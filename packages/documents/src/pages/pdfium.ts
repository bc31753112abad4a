import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/**
 * PDFium (the PDF engine of Chromium) as WebAssembly, with imports of our own instead of the library's: the program sees no
 * file, no network, no clock and no environment, whatever a document makes it do. Every document gets an instance of its own,
 * so nothing survives from one to the next, and all memory goes when the instance goes. Memory is bounded; a document that
 * needs more, or that breaks the program, ends as `PdfiumFailed` and leaves no other document worse off.
 */
export interface Pdfium {
  /** Calls an exported function; pointers and handles are numbers. */
  call(name: string, ...args: number[]): number;
  allocate(size: number): number;
  free(pointer: number): void;
  /** The memory of now: do not keep it across calls, since memory grows. */
  readonly memory: Buffer;
  /** Runs `work` with the address of a function that PDFium may call back with three numbers. */
  withCallback<T>(callback: (a: number, b: number, c: number) => number, work: (pointer: number) => T): T;
}

/** The program stopped: out of memory, out of stack, or a defect that the document triggered. */
export class PdfiumFailed extends Error {
  override readonly name = "PdfiumFailed";
}

const pageOfMemory = 65_536;
/** What one document may take. PDFs of hundreds of pages stay below a tenth of it, since pages are opened one at a time. */
export const memoryLimit = 512 * 1024 * 1024;

let compiled: WebAssembly.Module | undefined;

export function startPdfium(): Pdfium {
  compiled ??= new WebAssembly.Module(
    withRoomInTable(readFileSync(createRequire(import.meta.url).resolve("@hyzyla/pdfium/pdfium.wasm"))),
  );
  const state: State = { memory: undefined, view: Buffer.alloc(0), exports: {} };
  const instance = new WebAssembly.Instance(compiled, { env: imports(state), wasi_snapshot_preview1: wasi(state) });
  const { memory, __indirect_function_table: table, ...functions } = instance.exports;
  if (!(memory instanceof WebAssembly.Memory) || !(table instanceof WebAssembly.Table))
    throw new PdfiumFailed("exports");
  state.memory = memory;
  state.exports = functions as Record<string, (...args: number[]) => number>;
  state.table = table;
  const pdfium: Pdfium = {
    call: (name, ...args) => guarded(state, name, args),
    allocate(size) {
      const pointer = guarded(state, "malloc", [size]) >>> 0;
      if (pointer === 0) throw new PdfiumFailed("out of memory");
      return pointer;
    },
    free: (pointer) => void guarded(state, "free", [pointer]),
    get memory() {
      return viewOf(state);
    },
    withCallback(callback, work) {
      const index = table.grow(1);
      const bridge = new WebAssembly.Instance(new WebAssembly.Module(bridgeProgram), { env: { callback } });
      table.set(index, bridge.exports["callback"]);
      return work(index);
    },
  };
  pdfium.call("emscripten_stack_init");
  pdfium.call("__wasm_call_ctors");
  pdfium.call("FPDF_InitLibrary");
  return pdfium;
}

interface State {
  memory: WebAssembly.Memory | undefined;
  view: Buffer;
  exports: Record<string, (...args: number[]) => number>;
  table?: WebAssembly.Table;
  stopped?: boolean;
}

function guarded(state: State, name: string, args: number[]): number {
  if (state.stopped) throw new PdfiumFailed("stopped");
  const called = state.exports[name];
  if (!called) throw new PdfiumFailed(`no function ${name}`);
  try {
    return called(...args);
  } catch (error) {
    // A trap or an exhausted stack leaves the instance in no state to go on.
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
      state.stopped = true;
      throw new PdfiumFailed("the document stops the PDF engine", { cause: error });
    }
    throw error;
  }
}

function viewOf(state: State): Buffer {
  if (!state.memory) throw new PdfiumFailed("memory");
  if (state.view.buffer !== state.memory.buffer) state.view = Buffer.from(state.memory.buffer);
  return state.view;
}

/** Errors of POSIX in the numbering of WASI. */
const badFile = 8;
const noSuchFile = 44;
const notSupported = 52;

function imports(state: State): Record<string, (...args: never[]) => unknown> {
  // Calls through the table, so that `longjmp` (the error handling of libjpeg and libpng) can be caught here.
  const invoke = (index: number, ...args: number[]): unknown => {
    const stack = state.exports["emscripten_stack_get_current"]?.() ?? 0;
    try {
      return (state.table?.get(index) as ((...args: number[]) => unknown) | undefined)?.(...args);
    } catch (error) {
      if (error !== longJump) throw error;
      state.exports["_emscripten_stack_restore"]?.(stack);
      state.exports["setThrew"]?.(1, 0);
      return 0;
    }
  };
  return {
    invoke_v: invoke,
    invoke_ii: invoke,
    invoke_iii: invoke,
    invoke_iiii: invoke,
    invoke_iiiii: invoke,
    invoke_viii: invoke,
    invoke_viiii: invoke,
    _emscripten_throw_longjmp: () => {
      throw longJump;
    },
    _abort_js: () => {
      throw new WebAssembly.RuntimeError("abort");
    },
    emscripten_resize_heap: (size: number) => {
      const wanted = size >>> 0;
      if (!state.memory || wanted > memoryLimit) return 0;
      const pages = Math.ceil((wanted - state.memory.buffer.byteLength) / pageOfMemory);
      state.memory.grow(Math.max(pages, 0));
      return 1;
    },
    emscripten_date_now: () => 0,
    _tzset_js: () => undefined,
    _localtime_js: (_low: number, _high: number, pointer?: number) => clearTime(state, pointer),
    _gmtime_js: (_low: number, _high: number, pointer?: number) => clearTime(state, pointer),
    __syscall_openat: absent,
    __syscall_stat64: absent,
    __syscall_lstat64: absent,
    __syscall_newfstatat: absent,
    __syscall_unlinkat: absent,
    __syscall_rmdir: absent,
    __syscall_fcntl64: refuse,
    __syscall_ioctl: refuse,
    __syscall_fstat64: refuse,
    __syscall_ftruncate64: refuse,
    __syscall_getdents64: refuse,
  };
}

function refuse(): number {
  return -notSupported;
}

function absent(): number {
  return -noSuchFile;
}

function wasi(state: State): Record<string, (...args: never[]) => unknown> {
  return {
    fd_close: () => badFile,
    fd_read: () => badFile,
    fd_seek: () => badFile,
    fd_sync: () => badFile,
    // What the program says on its standard output and error is dropped, and counted as written so that it goes on.
    fd_write: (_file: number, vectors: number, count: number, written: number) => {
      const memory = viewOf(state);
      let total = 0;
      for (let at = 0; at < count; at += 1) total += memory.readUInt32LE(vectors + at * 8 + 4);
      memory.writeUInt32LE(total, written);
      return 0;
    },
    environ_get: () => 0,
    environ_sizes_get: (count: number, size: number) => {
      viewOf(state).writeUInt32LE(0, count);
      viewOf(state).writeUInt32LE(0, size);
      return 0;
    },
  };
}

function clearTime(state: State, pointer: number | undefined): void {
  if (pointer !== undefined) viewOf(state).fill(0, pointer, pointer + 44);
}

/**
 * The program was linked with a table that holds its own functions and not one more. Its limits (section 4: one table, with
 * minimum and maximum) are raised by one in place, for the callback.
 */
function withRoomInTable(program: Buffer): Uint8Array {
  let at = 8;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = program[at] ?? 0;
      at += 1;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < program.length) {
    const section = program[at];
    at += 1;
    const size = number();
    if (section !== 4) {
      at += size;
      continue;
    }
    at += 3; // one table, of functions, with a maximum
    number();
    const start = at;
    const maximum = number() + 1;
    for (let byte = start; byte < at; byte += 1) {
      program[byte] = ((maximum >> ((byte - start) * 7)) & 0x7f) | (byte < at - 1 ? 0x80 : 0);
    }
    break;
  }
  return new Uint8Array(program);
}

/** What Emscripten throws to unwind a `longjmp`. */
const longJump = Infinity;

/**
 * `(module (import "env" "callback" (func (param i32 i32 i32) (result i32))) (export "callback" (func 0)))`: a function of
 * JavaScript as a function of WebAssembly, which alone may stand in a table.
 */
const bridgeProgram = Buffer.from(
  "0061736d01000000" + // magic and version
    "01080160037f7f7f017f" + // one type: three i32 to one
    "02100103656e760863616c6c6261636b0000" + // env.callback of that type
    "070c010863616c6c6261636b0000", // exported by its name
  "hex",
);
