// Takes the one-time code out of the address, where it stood behind the "#", and puts it where the button sends it from.

const code = location.hash.slice(1);

if (/^[A-Z2-9]{5}-[A-Z2-9]{5}$/.test(code)) {
  document.getElementById("code").value = code;
  history.replaceState(null, "", location.pathname);
  document.querySelector("button.send").focus();
}
