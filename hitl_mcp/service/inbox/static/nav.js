// Where the navigation scrolls sideways, the page one is on is in sight.
const list = document.querySelector(".places ul");
const here = list?.querySelector("[aria-current]");
if (here) list.scrollLeft += here.getBoundingClientRect().x - list.getBoundingClientRect().x - list.clientWidth / 3;
