// Ticks all of them or none, and says how many are.

const boxes = [...document.querySelectorAll(".likes input[type=checkbox]")];
const said = document.getElementById("ticked");

function count() {
  const ticked = boxes.filter((box) => box.checked).length;
  said.textContent = said.dataset.words.replace("{count}", ticked).replace("{total}", boxes.length);
}

document.querySelector(".all-of-them").hidden = false;
for (const button of document.querySelectorAll("[data-tick]")) {
  button.addEventListener("click", () => {
    for (const box of boxes) if (!box.disabled) box.checked = button.dataset.tick === "all";
    count();
  });
}
for (const box of boxes) box.addEventListener("change", count);
count();
