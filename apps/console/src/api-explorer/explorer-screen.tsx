import { Screen } from "../components/screen.tsx";
export function ExplorerScreen() {
  return <Screen title="API">…</Screen>;
}
