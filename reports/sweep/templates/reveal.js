// Opens the cell that a link leads to, for browsers that do not by themselves.
(() => {
  const reveal = () => document.getElementById(location.hash.slice(1))?.closest("details")?.setAttribute("open", "");
  addEventListener("hashchange", reveal);
  reveal();
})();
