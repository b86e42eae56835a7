// Before anything is painted: the theme this browser chose. Without a choice the system's counts.

try {
  const chosen = localStorage.getItem("paranet-theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch {
  // storage is forbidden: the system's theme it is
}
