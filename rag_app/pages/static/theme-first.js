// Runs before the first paint: the theme that was chosen earlier, so that nothing flashes.
(() => {
  try {
    const chosen = localStorage.getItem("ragline-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // storage may be forbidden; the system's theme holds then
  }
})();
