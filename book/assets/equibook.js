// 1. The folds of the sidebar get a name, which the theme leaves out.
// 2. A box that scrolls sideways must be reachable from the keyboard.
(function () {
  "use strict";
  const boxes = [
    "div.math", "pre", ".table-wrapper", ".pst-scrollable-table-container",
    ".cell_output .output", "mjx-container",
  ].map((name) => ".bd-article " + name).join(",");

  function mark() {
    for (const box of document.querySelectorAll(boxes)) {
      const scrolls = box.scrollWidth > box.clientWidth + 1;
      // the theme gives -1 to what was folded, and so had no width, when it looked
      if (scrolls && box.getAttribute("tabindex") !== "0") {
        box.setAttribute("tabindex", "0");
        box.dataset.equibookScroll = "";
      } else if (!scrolls && "equibookScroll" in box.dataset) {
        box.removeAttribute("tabindex");
        delete box.dataset.equibookScroll;
      }
    }
  }

  let waiting = 0;
  function later() {
    clearTimeout(waiting);
    waiting = setTimeout(mark, 100);
  }

  for (const fold of document.querySelectorAll(".bd-sidebar-primary summary")) {
    const link = fold.closest("li")?.querySelector("a");
    if (!fold.hasAttribute("aria-label"))
      fold.setAttribute("aria-label", "Pages of " + (link ? link.textContent.trim() : "this section"));
  }

  window.addEventListener("load", async function () {
    if (window.MathJax && window.MathJax.startup) await window.MathJax.startup.promise;
    mark();
    // a fold that opens, a screen that turns: the article gets another size
    const article = document.querySelector(".bd-article");
    if (article) new ResizeObserver(later).observe(article);
  });
})();
