// Before the first paint: the theme that was chosen last, else the system's.
try {
	const chosen = localStorage.getItem("evilnet.theme");
	if (chosen === "light" || chosen === "dark")
		document.documentElement.dataset.theme = chosen;
} catch {
	// storage is forbidden: then it is the system's
}
document.documentElement.classList.add("js");
