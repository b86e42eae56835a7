// The API to read. ReDoc makes style elements, which the page's policy takes with its nonce only.
const place = document.getElementById("redoc");
window.Redoc.init("/openapi.json", { nonce: place.dataset.nonce, expandResponses: "200,201,202" }, place);
