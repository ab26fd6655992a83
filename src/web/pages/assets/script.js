"use strict";
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

  // Buttons that copy the text of another element. They are hidden without this script.
  const showCopyButtons = (root) => {
    if (!navigator.clipboard) return;
    for (const button of all("button.copy", root)) button.hidden = false;
  };
  const status = document.createElement("div");
  status.className = "aside";
  status.setAttribute("role", "status");
  document.body.append(status);
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    if (!source) return;
    const label = button.dataset.label || (button.dataset.label = button.textContent);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Press Ctrl+C";
    }
    status.textContent = button.textContent;
    setTimeout(() => { button.textContent = label; status.textContent = ""; }, 2000);
  });

  // `/` moves to the search field.
  const field = document.getElementById("q");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !field) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    field.focus();
    field.select();
  });

  // On the page of a search, results follow what is typed.
  const results = document.getElementById("results");
  const form = field && field.form;
  if (results && form) {
    let timer = 0;
    let running = null;
    const load = async (url, keep) => {
      if (running) running.abort();
      const mine = running = new AbortController();
      results.setAttribute("aria-busy", "true");
      try {
        const asked = new URL(url);
        asked.searchParams.set("fragment", "1");
        const answer = await fetch(asked, { signal: mine.signal, headers: { accept: "text/html" } });
        if (!answer.ok || answer.redirected) { location.assign(url); return; }
        const html = await answer.text();
        if (running !== mine) return;
        // The server wrote this HTML, as it writes whole pages.
        results.innerHTML = html;
        showCopyButtons(results);
        const heading = results.querySelector("[data-title]");
        if (heading) document.title = heading.dataset.title;
        if (keep) history.replaceState({ searched: true }, "", url);
      } catch (error) {
        if (error.name !== "AbortError") location.assign(url);
      } finally {
        if (running === mine) { running = null; results.removeAttribute("aria-busy"); }
      }
    };
    const wanted = () => {
      const url = new URL(location.href);
      url.searchParams.delete("page");
      url.searchParams.delete("fragment");
      if (field.value.trim()) url.searchParams.set("q", field.value);
      else url.searchParams.delete("q");
      return url;
    };
    // The first change gets a step of its own in the history, so that Back leads to what was there before.
    let stepped = false;
    field.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const url = wanted();
        if (url.href === location.href) return;
        if (!stepped) { history.pushState({ searched: true }, "", url); stepped = true; }
        load(url, true);
      }, 150);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(timer);
      const url = wanted();
      if (url.href !== location.href) history.pushState({ searched: true }, "", url);
      stepped = false;
      load(url, false);
    });
    addEventListener("popstate", () => {
      stepped = false;
      field.value = new URL(location.href).searchParams.get("q") || "";
      load(new URL(location.href), false);
    });
  }

  // A choice of two versions leads to their difference.
  const versions = document.getElementById("compare");
  if (versions) {
    const button = versions.querySelector("button[type=submit]");
    const check = () => { button.disabled = all("input[type=checkbox]:checked", versions).length !== 2; };
    versions.addEventListener("change", (event) => {
      const chosen = all("input[type=checkbox]:checked", versions);
      if (chosen.length > 2) chosen.find((box) => box !== event.target).checked = false;
      check();
    });
    check();
  }

  showCopyButtons(document);
})();
