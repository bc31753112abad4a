import { client } from "../api/client.ts";
import { forgetModels } from "../api/queries.ts";

/** Written when the session changes; the browser tells the other tabs, which show what is not theirs any more. */
const changedKey = "benchtop.session-changed-at";
addEventListener("storage", ({ key }) => {
  if (key === changedKey) startOver();
});

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

function tellOtherTabs(): void {
  localStorage.setItem(changedKey, new Date().toISOString());
}

function startOver(): void {
  location.assign("/");
}
