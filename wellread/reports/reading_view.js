"use strict";
// Draws one chapter at a time. What the book says goes into the page as text, never as markup.
(() => {
  const byId = (id) => document.getElementById(id);
  const book = JSON.parse(byId("book").textContent);
  const unit = new RegExp(book.unit, "gu");
  const digitOf = new Map([...book.digits].map((digit, place) => [digit, place]));
  const last = book.subjects.length - 1;
  const narrow = window.matchMedia("(max-width: 46rem)");
  const page = byId("page"), choice = byId("choice"), readout = byId("readout"), bands = byId("bands");
  const kept = new Map(), waiting = new Map();
  const total = book.chapters.reduce((sum, chapter) => sum + chapter[2], 0) || 1;
  const edges = [0];
  for (const chapter of book.chapters) edges.push(edges[edges.length - 1] + chapter[2] / total);
  let chapter = 0, model = last, shown = null, chosen = -1, asked = 0;

  // Chapters come from this very file, or from scripts beside it that call this.
  window.wellreadChapters = (first, chapters) => {
    chapters.forEach((each, place) => kept.set(first + place, each));
  };

  const load = (number) => {
    const inline = byId(`text-${number}`);
    if (inline && !kept.has(number)) kept.set(number, JSON.parse(inline.textContent));
    if (kept.has(number)) return Promise.resolve(kept.get(number));
    let file = 0;
    while (file + 1 < book.firsts.length && book.firsts[file + 1] <= number) file += 1;
    if (!waiting.has(file)) {
      waiting.set(file, new Promise((done, failed) => {
        const script = document.createElement("script");
        script.src = `${book.folder}/${String(file).padStart(4, "0")}.js`;
        script.onload = done;
        script.onerror = () => { waiting.delete(file); failed(script.src); };
        document.head.append(script);
      }));
    }
    return waiting.get(file).then(() => kept.get(number) || Promise.reject(`${book.folder}/`));
  };

  const element = (name, kind, text) => {
    const made = document.createElement(name);
    if (kind) made.className = kind;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const partOf = (number) => book.parts[book.chapters[number][1]] || "";
  const named = (number) => book.chapters[number][0] + (partOf(number) ? ` (${partOf(number)})` : "");
  const models = () => (model === "both" ? [0, last] : [model]);
  const bitsOf = (subject, place) => {
    const digit = digitOf.get(shown.digits[subject][place]);
    return digit === undefined ? null : digit * book.step;
  };

  // A text as paragraphs of words; a word knows its place, and whether a blank line stood before its paragraph.
  const paragraphs = (text) => {
    const found = [];
    (text.match(unit) || []).forEach((raw, place) => {
      const blank = raw.length - raw.trimStart().length;
      const lines = raw.slice(0, blank).split("\n").length - 1;
      if (lines || !found.length) found.push({ gap: lines > 1, words: [] });
      const words = found[found.length - 1].words;
      words.push({ place, blank: words.length ? raw.slice(0, blank) : "", text: raw.slice(blank) });
    });
    return found;
  };

  // Which words are recited, as the strength of every word that is.
  const recitedOf = (subject) => {
    const strengths = new Map(), runs = shown.marks[subject];
    for (let i = 0; i < runs.length; i += 3) {
      for (let place = runs[i]; place < runs[i] + runs[i + 1]; place += 1) strengths.set(place, runs[i + 2]);
    }
    return strengths;
  };

  // The word that the character at this offset stands in; a character is a code point, as where the offset was counted.
  const wordOf = (offset) => {
    let place = -1, end = 0;
    for (const raw of shown.text.match(unit) || []) {
      place += 1;
      end += [...raw].length;
      if (end > offset) break;
    }
    return place;
  };

  const drawParagraph = (paragraph, subject, recited) => {
    const drawn = element("p", paragraph.gap ? "gap" : "");
    drawn.first = paragraph.words[0].place;
    const scored = shown.digits[subject].length;
    let into = drawn, strength = 0, plain = "", before = "";
    for (const word of paragraph.words) {
      if (word.place >= scored) { plain += word.blank + word.text; continue; }
      const here = recited.get(word.place) || 0;
      let blank = word.blank;
      if (here !== strength) {
        if (strength) drawn.append(element("span", "unseen", " (recited until here)"));
        drawn.append(blank);
        blank = "";
        into = drawn;
        strength = here;
        if (here) {
          drawn.append(element("span", "unseen", " (recited from here)"));
          into = element("span", here > 1 ? "recited sure" : "recited");
          drawn.append(into);
        }
      }
      // Neighbours of one shade are one surface; where the shade changes, the blank between stays bare.
      const shade = book.shades[digitOf.get(shown.digits[subject][word.place])];
      if (shade !== before) into.append(blank);
      const span = element("span", `w s${shade}`, shade === before ? blank + word.text : word.text);
      before = shade;
      span.place = word.place;
      into.append(span);
    }
    if (strength) drawn.append(element("span", "unseen", " (recited until here)"));
    if (plain) drawn.append(plain);
    return drawn;
  };

  const draw = () => {
    const subjects = models(), marks = subjects.map(recitedOf);
    const made = document.createDocumentFragment();
    const [name, , , scored] = book.chapters[chapter];
    const all = paragraphs(shown.text);
    const words = all.reduce((sum, each) => sum + each.words.length, 0);
    const heard = Math.max(...subjects.map((subject) => shown.digits[subject].length));
    made.append(element("h3", "", name));
    const extent = !scored ? "not scored: the text is plain"
      : heard < words ? `scored: the first ${heard.toLocaleString("en")} words`
      : "scored to its end";
    made.append(element("p", "about", [partOf(chapter), `${words.toLocaleString("en")} words`, extent].filter(Boolean).join(" · ")));
    page.classList.toggle("abreast", subjects.length > 1);
    if (subjects.length > 1) {
      const voices = element("div", "row voices");
      subjects.forEach((subject) => voices.append(element("span", "", book.subjects[subject])));
      made.append(voices);
    }
    let told = !scored;
    for (const paragraph of all) {
      if (!told && paragraph.words[0].place >= heard) {
        made.append(element("p", "unscored", "From here on the text was not scored."));
        told = true;
      }
      const sides = subjects.map((subject, side) => drawParagraph(paragraph, subject, marks[side]));
      if (sides.length === 1) { made.append(sides[0]); continue; }
      const row = element("div", paragraph.gap ? "row gap" : "row");
      row.append(...sides);
      made.append(row);
    }
    page.replaceChildren(made);
    choose(chosen, "");
    for (const button of document.querySelectorAll("[data-model]")) {
      button.setAttribute("aria-pressed", String(button.dataset.model === String(model)));
    }
  };

  const wordAt = (place) => [...page.querySelectorAll(".w")].filter((each) => each.place === place);

  const tell = (place) => {
    const [first] = wordAt(place);
    if (!first) { readout.textContent = ""; return; }
    const bits = book.subjects.map((title, subject) => {
      const found = bitsOf(subject, place), most = (book.digits.length - 1) * book.step;
      if (found === null) return "";
      const size = found >= most ? `${most} bits or more` : found < book.step ? "under half a bit" : `${found} bits`;
      return last ? `${title.toLowerCase()} ${size}` : size;
    }).filter(Boolean);
    const recited = models().some((subject) => recitedOf(subject).has(place)) ? " · recited" : "";
    readout.replaceChildren(element("strong", "", first.textContent.trim()), ` · ${bits.join(" → ")}${recited}`);
  };

  const choose = (place, into = "nearest") => {
    for (const old of page.querySelectorAll(".chosen")) old.classList.remove("chosen");
    chosen = place;
    const words = wordAt(place);
    for (const word of words) word.classList.add("chosen");
    if (words.length && into) words[0].scrollIntoView({ block: into });
    tell(place);
  };

  // To a word that is scored, or to the paragraph that holds it.
  const land = (place) => {
    choose(place, "center");
    if (chosen >= 0 && wordAt(place).length) return;
    chosen = -1;
    const [found] = [...page.querySelectorAll("p")].filter((each) => each.first <= place).slice(-1);
    if (!found) return;
    found.classList.add("landed");
    found.scrollIntoView({ block: "center" });
  };

  const mark = (box, number) => {
    box.hidden = number === null;
    if (number === null) return;
    box.style.left = `${100 * edges[number]}%`;
    box.style.width = `${100 * (edges[number + 1] - edges[number])}%`;
  };

  const show = (number, into, offset = -1) => {
    chapter = Math.min(Math.max(number, 0), book.chapters.length - 1);
    chosen = -1;
    asked += 1;
    const mine = asked;
    choice.value = String(chapter);
    byId("back").disabled = chapter === 0;
    byId("on").disabled = chapter === book.chapters.length - 1;
    mark(byId("here"), chapter);
    const arrive = () => {
      if (into) byId("bar").scrollIntoView({ block: "start" });
      if (offset >= 0 && shown) land(wordOf(offset));
    };
    load(chapter).then((found) => {
      if (mine !== asked) return;
      shown = found;
      draw();
      arrive();
    }, (file) => {
      if (mine !== asked) return;
      shown = null;
      page.replaceChildren(element("p", "none", `The text is not here: ${file} belongs beside this page.`));
      arrive();
    });
  };

  const go = (number) => {
    if (number < 0 || number >= book.chapters.length) return;
    if (location.hash === `#chapter-${number + 1}`) show(number, true);
    else location.hash = `chapter-${number + 1}`;
  };
  // #chapter-3, or #chapter-3-at-1234: the character in it.
  const fromHash = () => {
    const found = /^#chapter-(\d+)(?:-at-(\d+))?$/.exec(location.hash);
    if (!found) return false;
    show(Number(found[1]) - 1, true, found[2] === undefined ? -1 : Number(found[2]));
    return true;
  };

  const shade = (which) => {
    const place = chosen;
    model = which;
    if (!shown) return;
    const top = page.getBoundingClientRect().top;
    draw();
    if (place >= 0) choose(place);
    else window.scrollBy(0, page.getBoundingClientRect().top - top);
  };

  const pointedAt = (event) => {
    const box = bands.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 0.999999);
    let low = 0, high = book.chapters.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (edges[middle] <= share) low = middle; else high = middle - 1;
    }
    return low;
  };

  book.chapters.forEach((_, number) => {
    const option = element("option", "", named(number));
    option.value = String(number);
    choice.append(option);
  });
  choice.addEventListener("change", () => go(Number(choice.value)));
  byId("back").addEventListener("click", () => go(chapter - 1));
  byId("on").addEventListener("click", () => go(chapter + 1));
  for (const button of document.querySelectorAll("[data-model]")) {
    button.addEventListener("click", () => shade(button.dataset.model === "both" ? "both" : Number(button.dataset.model)));
  }
  narrow.addEventListener("change", () => { if (narrow.matches && model === "both") shade(last); });
  bands.addEventListener("click", (event) => go(pointedAt(event)));
  bands.addEventListener("pointermove", (event) => {
    const number = pointedAt(event);
    mark(byId("pointing"), number);
    byId("pointed").textContent = named(number);
  });
  bands.addEventListener("pointerleave", () => {
    mark(byId("pointing"), null);
    byId("pointed").textContent = "\u00a0";
  });
  page.addEventListener("click", (event) => { if (event.target.place !== undefined) choose(event.target.place); });
  page.addEventListener("pointerover", (event) => {
    if (chosen < 0 && event.pointerType === "mouse") tell(event.target.place === undefined ? -1 : event.target.place);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target === choice) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step && event.shiftKey && shown) {
      const most = Math.max(...models().map((subject) => shown.digits[subject].length)) - 1;
      choose(Math.min(Math.max(chosen + step, 0), most));
    } else if (step) go(chapter + step);
    else if (event.key === "Escape") choose(-1);
    // A letter alone is a key of the reader only: elsewhere it belongs to whoever speaks to the browser.
    else if (event.key.toLowerCase() === "b" && last && byId("reader").contains(event.target)) shade(model === "both" ? last : (model + 1) % (last + 1));
    else return;
    event.preventDefault();
  });
  window.addEventListener("hashchange", fromHash);
  window.addEventListener("beforeprint", () => { if (byId("all")) byId("all").open = true; });

  byId("bar").hidden = false;
  const scored = book.chapters.findIndex((each) => each[3] > 0);
  if (!fromHash()) show(Math.max(scored, 0), false);
})();
