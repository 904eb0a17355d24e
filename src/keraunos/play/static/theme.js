// Before anything is painted: light or dark, as chosen, else as the system says. A classic script, so that the page waits for it.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem("keraunos.theme");
  } catch {
    // Storage is closed: the system's choice holds.
  }
  if (theme !== "light" && theme !== "dark") {
    theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }
  document.documentElement.dataset.theme = theme;
})();
