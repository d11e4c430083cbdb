// Filters the variants; the page says all it has to say without this.
(() => {
  const form = document.getElementById("filter");
  if (!form) return;
  form.hidden = false;
  const items = document.querySelectorAll("[data-status]");
  const apply = () => {
    const text = document.getElementById("text").value.toLowerCase();
    const shown = new Set([...form.querySelectorAll("input[type=checkbox]:checked")].map(box => box.value));
    for (const item of items) {
      item.hidden = !shown.has(item.dataset.status) || !item.dataset.name.toLowerCase().includes(text);
    }
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", event => event.preventDefault());
  document.getElementById("expand").addEventListener("click", event => {
    const all = [...document.querySelectorAll("details.variant")];
    const open = all.some(one => !one.open);
    for (const one of all) one.open = open;
    event.target.textContent = open ? "Collapse all" : "Expand all";
  });
  const reveal = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") target.open = true;
  };
  addEventListener("hashchange", reveal);
  reveal();
})();
