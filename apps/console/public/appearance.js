// Runs before the first paint, so that a stored dark theme never flashes white. Kept in step with src/settings/appearance.ts.
(function () {
  var stored = null;
  try {
    stored = localStorage.getItem("benchtop.appearance");
  } catch (unavailable) {
    stored = String(unavailable && null);
  }
  var dark = matchMedia("(prefers-color-scheme: dark)").matches;
  var contrast = stored === "high-contrast" || matchMedia("(prefers-contrast: more)").matches;
  var root = document.documentElement;
  root.dataset.theme = stored === "light" || stored === "dark" ? stored : dark ? "dark" : "light";
  root.dataset.contrast = contrast ? "more" : "normal";
})();
