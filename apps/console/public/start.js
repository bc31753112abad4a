// Runs before anything else, as a file of its own because the content security policy allows no inline script.
(function () {
  // zod would probe whether it may compile code, which the policy forbids and the browser then reports.
  globalThis.__zod_globalConfig = { jitless: true };

  // Before the first paint, so that a dark theme never flashes white. Kept in step with src/settings/appearance.ts.
  var stored = null;
  try {
    stored = localStorage.getItem("benchtop.appearance");
  } catch (unavailable) {
    console.warn("Benchtop cannot keep its appearance in this browser.", unavailable);
  }
  var dark = matchMedia("(prefers-color-scheme: dark)").matches;
  var contrast = stored === "high-contrast" || matchMedia("(prefers-contrast: more)").matches;
  var root = document.documentElement;
  root.dataset.theme = stored === "light" || stored === "dark" ? stored : dark ? "dark" : "light";
  root.dataset.contrast = contrast ? "more" : "normal";
})();
