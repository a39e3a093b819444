// Families on a line of years: a group of buttons of which one is chosen; arrow keys move on.

const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

function span(className, text = "") {
  const made = document.createElement("span");
  made.className = className;
  made.textContent = text;
  return made;
}

function show(root, { families, chosen }, tell) {
  const hadFocus = root.contains(root.getRootNode().activeElement);
  const buttons = families.map(({ name, year, starter }, i) => {
    const button = document.createElement("button");
    const isChosen = name === chosen;
    button.type = "button";
    button.classList.toggle("starter", starter);
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", isChosen);
    button.setAttribute("aria-label", `${name}, ${year}${starter ? ", runs here" : ""}`);
    button.tabIndex = isChosen ? 0 : -1;
    button.append(span("year", families[i - 1]?.year === year ? "" : year), span("dot"), span("name", name));
    button.addEventListener("click", () => tell(name));
    button.addEventListener("keydown", (event) => {
      const next = families[i + STEPS[event.key]];
      if (!next) return;
      event.preventDefault();
      tell(next.name);
    });
    return button;
  });
  root.replaceChildren(...buttons);
  const at = buttons.find((button) => button.tabIndex === 0);
  if (!at) return;
  root.scrollLeft = at.offsetLeft - root.offsetLeft - (root.clientWidth - at.offsetWidth) / 2;
  if (hadFocus) at.focus({ preventScroll: true });
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".timeline");
  const told = JSON.stringify(data);
  if (root.told === told) return;
  root.told = told;
  show(root, data, (name) => setStateValue("family", name));
}
