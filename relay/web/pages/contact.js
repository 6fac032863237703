// Shows the contact form where this script stands in a page:
//   <script src="BASE/contact.js" data-to="HANDLE" data-from=… data-expires=… data-sig=…></script>
(function () {
  "use strict";
  var here = document.currentScript;
  if (!here || !here.dataset.to) {
    return;
  }
  var base = here.src.replace(/\/contact\.js([?#].*)?$/, "");
  var origin = new URL(base).origin;
  var query = ["embed=1"];
  ["from", "expires", "sig", "subject", "about"].forEach(function (name) {
    if (here.dataset[name]) {
      query.push(name + "=" + encodeURIComponent(here.dataset[name]));
    }
  });
  var frame = document.createElement("iframe");
  frame.title = here.dataset.title || "Write a message";
  frame.style.width = "100%";
  frame.style.height = "46rem";
  frame.style.border = "0";
  frame.src = base + "/contact/" + encodeURIComponent(here.dataset.to) + "?" + query.join("&");
  here.parentNode.insertBefore(frame, here.nextSibling);
  // The form tells how high it is. Only it is heard, and only that is done.
  window.addEventListener("message", function (event) {
    var said = event.data;
    if (event.origin !== origin || event.source !== frame.contentWindow || !said || said.stagedoor !== "height") {
      return;
    }
    if (typeof said.height === "number" && said.height > 0 && said.height < 10000) {
      frame.style.height = Math.ceil(said.height) + "px";
    }
  });
}());
