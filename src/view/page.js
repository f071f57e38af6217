"use strict";
(() => {
const all = (what) => document.querySelectorAll(what);
const at = (now, key) => key.split(".").reduce((value, key) => value?.[key], now);
const fixed = (value, decimals) => (Math.floor(value * 10 ** decimals + .5) / 10 ** decimals).toFixed(decimals);
const count = (value) => fixed(value, 0).replace(/\B(?=(\d{3})+$)/g, "\u202f");
const bits = (value) => {
  let prefix = 0;
  for (value *= 8; value >= 999.5 && prefix < 5; prefix++) value /= 1000;
  const decimals = !prefix || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return fixed(value, decimals) + "\u00a0" + ["", "k", "M", "G", "T", "P"][prefix] + "bit/s";
};
const percent = (value) => {
  value *= 100;
  return (value >= 9.95 ? fixed(value, 0) : value >= .05 ? fixed(value, 1) : value > 0 ? "<0.1" : "0") + "\u00a0%";
};
const duration = (value) => {
  value = Math.floor(value);
  const units = [[value / 86400, "d"], [value / 3600 % 24, "h"], [value / 60 % 60, "min"], [value % 60, "s"]];
  const first = units.findIndex(([count]) => count >= 1);
  return units.slice(first < 0 ? 3 : first).slice(0, 2).map(([count, unit]) => Math.floor(count) + "\u00a0" + unit).join("\u00a0");
};
const writers = {b: bits, n: count, p: percent, d: duration, m: (value) => fixed(value * 1000, 2) + "\u00a0ms", t: (value) => value.slice(11, 19)};

// As draw() in html.rs.
const draw = (levels, area) => {
  let path = "", before = -1, steps = 0;
  const end = () => {
    if (steps) path += "h" + steps;
    steps = 0;
  };
  [...levels, "."].forEach((digit, x) => {
    const level = parseInt(digit, 36);
    if (isNaN(level)) {
      end();
      if (area && before >= 0) path += "V36z";
      before = -1;
    } else {
      if (before < 0) path += "M" + x + " " + (area ? "36V" : "") + (36 - level);
      else if (level == before) steps++;
      else {
        end();
        path += "l1 " + (before - level);
      }
      before = level;
    }
  });
  return path;
};

const patch = (now) => {
  for (const unit in writers) for (const place of all(`[data-${unit}]`)) {
    const value = at(now, place.dataset[unit]);
    const text = value == null ? "–" : writers[unit](value);
    if (place.textContent != text) place.textContent = text;
    place.classList.toggle("z", value === 0);
  }
  for (const bar of all("[data-w]")) bar.setAttribute("width", Math.ceil(Math.min(1, at(now, bar.dataset.w)) * 100));
  for (const path of all("[data-h]")) path.setAttribute("d", draw(at(now, path.dataset.h), path.classList.contains("rx")));
};

// What is not a number has changed: the server writes it.
const swap = async () => {
  const page = new DOMParser().parseFromString(await (await fetch("./")).text(), "text/html");
  const [before, now] = [document, page].map((page) => page.querySelector("main"));
  // Another version of the program answers.
  if (page.scripts[0]?.text != document.scripts[0].text) return location.reload();
  for (const fold of before.querySelectorAll("details[open]")) now.querySelector("#" + fold.id)?.setAttribute("open", "");
  before.replaceWith(now);
  document.title = page.title;
};

let timer, seconds = 5, asking = false;
const say = (text, name) => {
  const live = document.getElementById("live");
  live.textContent = text;
  live.className = name;
};
const refresh = async () => {
  clearTimeout(timer);
  if (asking || document.hidden) return;
  asking = true;
  try {
    const answer = await fetch("api/now", {signal: AbortSignal.timeout(15000)});
    if (!answer.ok) throw answer.status;
    const now = await answer.json();
    if (now.revision != document.querySelector("main").dataset.revision) await swap();
    else patch(now);
    seconds = now.refresh_seconds;
    say("live", "on");
  } catch {
    say("no answer: these numbers are old", "lost");
  }
  asking = false;
  timer = setTimeout(refresh, seconds * 1000);
};
document.addEventListener("visibilitychange", refresh);
say("live", "on");
timer = setTimeout(refresh, 1000);
})();
