// The API to read.
window.Redoc.init("/openapi.json", { hideDownloadButton: false, expandResponses: "200,201,202", disableSearch: false }, document.getElementById("redoc"));
