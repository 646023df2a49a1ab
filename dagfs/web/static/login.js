// Sends the token of a link to the server and takes it out of the address, so that no history keeps it.
const match = /^#token=([A-Za-z0-9_-]+)$/.exec(location.hash);
if (match) {
  history.replaceState(null, "", location.pathname + location.search);
  const form = document.getElementById("sign-in");
  form.elements.token.value = match[1];
  form.submit();
}
