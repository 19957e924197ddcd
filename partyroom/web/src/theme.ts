// Runs before the first paint, so that a chosen theme never flashes: without a choice the system's preference rules.

const chosen = (() => {
  try {
    return localStorage.getItem("partyroom.theme");
  } catch {
    return null; // storage may be switched off
  }
})();

if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
