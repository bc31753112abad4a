import { spawn } from "node:child_process";

/** Opens an address in the user's browser where there is a display. Never fails: the address is printed anyway. */
export function openBrowser(url: string): boolean {
  const command = browserCommand();
  if (command === undefined) return false;
  const child = spawn(command[0], [...command[1], url], { detached: true, stdio: "ignore" });
  child.on("error", () => undefined);
  child.unref();
  return true;
}

function browserCommand(): readonly [string, readonly string[]] | undefined {
  const { DISPLAY, WAYLAND_DISPLAY, CI, SSH_CONNECTION } = process.env;
  if (CI !== undefined || SSH_CONNECTION !== undefined) return undefined;
  if (process.platform === "darwin") return ["open", []];
  if (process.platform === "win32") return ["rundll32", ["url.dll,FileProtocolHandler"]];
  return DISPLAY === undefined && WAYLAND_DISPLAY === undefined ? undefined : ["xdg-open", []];
}
