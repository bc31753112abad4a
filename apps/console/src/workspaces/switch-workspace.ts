import { client } from "../api/client.ts";
import { forgetModels } from "../api/queries.ts";

const channel = new BroadcastChannel("benchtop.identity");
channel.addEventListener("message", startOver);

/** Works in another workspace from now on. Everything is loaded anew, so nothing of the old one stays on screen. */
export async function switchWorkspace(workspaceId: string): Promise<void> {
  await client.call("workspaces.switch", { workspaceId });
  forgetModels();
  tellOtherTabs();
  startOver();
}

/** Ends this browser's session and starts over at the sign-in form. */
export async function signOut(): Promise<void> {
  await client.call("signIn.end", {});
  forgetModels();
  tellOtherTabs();
  startOver();
}

/** The session is the browser's: what the other tabs show is not theirs any more. */
function tellOtherTabs(): void {
  channel.postMessage("changed");
}

function startOver(): void {
  location.assign("/");
}
