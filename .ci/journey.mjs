// A member's journey in a real browser, over SMTP and over IMAP. Run by .ci/journey, which sets:
// MX, SUBMISSION, IMAP, HTTP, INTERNET: ports on loopback; PLATFORM: a port for the platform's own page; LINK_KEY: what signs its links;
// OUT: a folder for all that each member got (OUT/sam, OUT/tess, OUT/anybody); SHOTS: a folder for screenshots, or empty.
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer as createWeb } from "node:http";
import { createConnection, createServer } from "node:net";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const require = createRequire(process.env.MODULES + "/");
const { chromium } = require("playwright-core");
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const { MX, IMAP, HTTP, INTERNET, PLATFORM, LINK_KEY, OUT, SHOTS } = process.env;
const base = `http://127.0.0.1:${HTTP}`;
const real = { sam: "sam.real@agency.example", tess: "tess.real@mail.example" };
let failures = 0, pages = 0, kept = 0;

function check(ok, what) {
  if (!ok) {
    failures++;
    console.log("FAIL", what);
  }
}
function need(ok, what) {
  check(ok, what);
  if (!ok) throw new Error(what);
}
function keep(who, name, data) {
  mkdirSync(`${OUT}/${who}`, { recursive: true });
  writeFileSync(`${OUT}/${who}/${String(++kept).padStart(4, "0")}-${name.replace(/[^\w.-]+/g, "_").slice(0, 80)}`, data);
}
async function until(what, probe) {
  for (let i = 0; i < 300; i++) {
    const found = await probe();
    if (found) return found;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error("timed out: " + what);
}

// The internet: a smarthost that takes everything, each mail with its recipient.
const mailed = [];
const internet = createServer((socket) => {
  let to = "", data = null;
  const say = (line) => socket.write(line + "\r\n");
  socket.on("error", () => {});
  say("220 internet.example");
  createInterface({ input: socket, crlfDelay: Infinity }).on("line", (line) => {
    if (data !== null) {
      if (line !== ".") {
        data.push(line.startsWith(".") ? line.slice(1) : line);
        return;
      }
      mailed.push({ to, text: data.join("\r\n") + "\r\n" });
      keep(to === real.tess ? "tess" : "sam", "mail.eml", mailed.at(-1).text);
      data = null;
      say("250 2.0.0 taken");
    } else if (/^RCPT/i.test(line)) {
      to = line.replace(/^[^<]*<([^>]*)>.*/, "$1");
      say("250 ok");
    } else if (/^DATA/i.test(line)) {
      data = [];
      say("354 go on");
    } else if (/^QUIT/i.test(line)) {
      say("221 bye");
      socket.end();
    } else {
      say(/^EHLO/i.test(line) ? "250 8BITMIME" : "250 ok");
    }
  });
}).listen(Number(INTERNET), "127.0.0.1");
const mailTo = (who, pattern) => until(`a mail to ${who} with ${pattern}`, () => mailed.find((m) => m.to === real[who] && pattern.test(unfold(m.text))));
const unfold = (text) => text.replace(/=\r\n/g, "").replace(/=3D/g, "=");

// The least of a client that speaks in lines; each answer must begin as expected.
function dialog(port) {
  const socket = createConnection(Number(port), "127.0.0.1");
  const lines = [];
  let wake = () => {};
  createInterface({ input: socket, crlfDelay: Infinity }).on("line", (line) => { lines.push(line); wake(); });
  socket.on("error", (err) => { lines.push("-ERR " + err.message); wake(); });
  async function line() {
    while (!lines.length) await new Promise((done) => { wake = done; });
    return lines.shift();
  }
  return {
    async ask(text, last) {
      if (text) socket.write(text + "\r\n");
      const got = [];
      do got.push(await line()); while (!last.test(got.at(-1)) && !/^-ERR/.test(got.at(-1)));
      return got;
    },
    end: () => socket.end(),
  };
}
async function smtp(from, to, subject, text) {
  const d = dialog(MX);
  const reply = /^\d{3} /;
  await d.ask("", reply);
  await d.ask("EHLO homemail.example", reply);
  await d.ask(`MAIL FROM:<${from}>`, reply);
  await d.ask(`RCPT TO:<${to}>`, reply);
  await d.ask("DATA", reply);
  const answer = await d.ask(`From: <${from}>\r\nTo: <${to}>\r\nSubject: ${subject}\r\nMessage-ID: <${Date.now()}.${Math.random()}@homemail.example>\r\nDate: ${new Date().toUTCString().replace("GMT", "+0000")}\r\n\r\n${text}\r\n.`, reply);
  d.end();
  return answer.at(-1);
}
async function inbox(who, password) {
  const d = dialog(IMAP);
  await d.ask("", /^\*/);
  const signedIn = await d.ask(`a LOGIN ${who} ${password}`, /^a /);
  need(/^a OK/.test(signedIn.at(-1)), `${who} signs in by IMAP: ${signedIn.at(-1)}`);
  await d.ask("b EXAMINE INBOX", /^b /);
  const all = (await d.ask("c FETCH 1:* (BODY.PEEK[])", /^c (OK|NO|BAD)/)).join("\r\n");
  d.end();
  keep(who, "imap.txt", all);
  return all;
}

// What a phone's camera reads.
function scan(png) {
  const file = `${OUT}/code.png`;
  writeFileSync(file, png);
  return execFileSync("zbarimg", ["-q", "--raw", file], { stdio: ["ignore", "pipe", "ignore"] }).toString().trim();
}

// The platform: a profile page that embeds the form by the script, or by an iframe.
function signed(from, to) {
  const expires = String(Math.floor(Date.now() / 1000) + 600);
  const sig = createHmac("sha256", LINK_KEY).update(`contact\n${to}\n${from}\n${expires}\n`).digest("hex");
  return { from, expires, sig };
}
const platform = createWeb((req, res) => {
  const link = signed("sam", "tess");
  const embed = req.url === "/script"
    ? `<script src="${base}/contact.js" data-to="tess" data-about="hamlet/ophelia" data-from="${link.from}" data-expires="${link.expires}" data-sig="${link.sig}"></script>`
    : `<iframe title="Write a message" width="100%" height="900" src="${base}/contact/tess?${new URLSearchParams(link)}"></iframe>`;
  res.setHeader("Content-Type", "text/html; charset=utf-8");
  res.end(`<!doctype html><html lang="en"><head><title>Tess Talent</title><meta name="viewport" content="width=device-width, initial-scale=1"></head><body><main><h1>Tess Talent</h1>${embed}</main></body></html>`);
}).listen(Number(PLATFORM), "localhost");

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });

// A person's browser: every answer is kept, and nothing may be asked of another host or be refused by a policy.
async function person(who, options = {}) {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60000);
  page.on("request", (r) => check(/^(http:\/\/(127\.0\.0\.1|localhost):|blob:|data:)/.test(r.url()), `${who} loads ${r.url()}`));
  page.on("response", async (r) => {
    try {
      keep(who, `${r.request().method()}-${new URL(r.url()).pathname}`, Buffer.concat([Buffer.from(JSON.stringify(await r.allHeaders()) + "\n\n"), await r.body()]));
    } catch { /* a redirect has no body */ }
  });
  page.on("console", (m) => check(m.type() !== "error" || /status of (4|5)\d\d/.test(m.text()), `${who}: ${m.text()}`));
  page.on("pageerror", (e) => check(false, `${who}: ${e}`));
  return page;
}

// look takes a page as it is: axe finds no serious fault, nothing is wider than the screen, and there are screenshots.
async function look(page, name) {
  pages++;
  for (const frame of page.frames()) {
    if (!frame.url().startsWith("http")) continue;
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await frame.evaluate(axeSource);
      const { violations } = await frame.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
      for (const v of violations) {
        const serious = ["serious", "critical"].includes(v.impact);
        check(!serious, `${name} (${colorScheme}): ${v.id}: ${v.help}: ${v.nodes.map((n) => n.html).join(" | ").slice(0, 400)}`);
        if (!serious) console.log(`     ${name} (${colorScheme}): ${v.impact}: ${v.id}`);
      }
    }
  }
  const before = page.viewportSize();
  for (const [size, width] of [["phone", 390], ["desktop", 1280]]) {
    await page.setViewportSize({ width, height: 844 });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    check(over <= 0, `${name}: ${over} pixels wider than a ${size}`);
    for (const colorScheme of SHOTS ? ["light", "dark"] : []) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${SHOTS}/${name}-${size}-${colorScheme}.png`, fullPage: true });
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(before);
}
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
async function says(page, text) {
  let shown = "";
  try {
    await until(text, async () => (shown = await page.locator("body").innerText()).includes(text));
  } catch {
    throw new Error(`${page.url()} doesn't say “${text}”, but: ${shown.slice(0, 500)}`);
  }
}

async function journey() {
  // Sam signs in, at the second try, and wants one mail a day.
  const sam = await person("sam");
  await sam.goto(base + "/account");
  await look(sam, "signin");
  await sam.getByLabel("Your name here").fill("sam");
  await sam.getByLabel("Password").fill("wrong");
  await sam.keyboard.press("Enter");
  await says(sam, "The name or the password is wrong.");
  need(await sam.evaluate(() => document.activeElement.id === "problem"), "the problem has the focus");
  await look(sam, "signin-wrong");
  await sam.getByLabel("Password").fill("sam-secret");
  await press(sam, "Sign in");
  await sam.getByRole("radio", { name: "Once a day" }).check();
  await sam.getByLabel("at what time").fill("07:30");
  await sam.getByLabel("time zone").fill("Mars/Olympus");
  await press(sam.locator("form[action$='/account/alerts']"), "Save");
  await says(sam, "Mars/Olympus");
  await look(sam, "alerts-wrong");
  await sam.getByLabel("time zone").fill("Europe/Berlin");
  await press(sam.locator("form[action$='/account/alerts']"), "Save");
  await says(sam, "Your choice has been saved.");
  need(await sam.getByRole("radio", { name: "Once a day" }).isChecked(), "daily is set");
  await look(sam, "alerts");

  // A second address, confirmed by the link that is mailed to it.
  await sam.getByRole("link", { name: "Addresses", exact: true }).click();
  await sam.getByLabel("E-mail address").fill("sam.second@work.example");
  await press(sam, "Add");
  await says(sam, "A link has been mailed");
  real.second = "sam.second@work.example";
  const confirm = unfold((await mailTo("second", /\/address\//)).text).match(/http:\S+\/address\/[a-z2-7]{26}/)[0];
  await sam.goto(confirm);
  await look(sam, "address");
  await press(sam, "This address is mine: add it");
  await says(sam, "The address has been added");
  await sam.goto(base + "/account/addresses");
  await says(sam, "sam.second@work.example");
  await look(sam, "addresses");

  // A password for a mail app, which opens the mailbox and not the account.
  await sam.getByRole("link", { name: "Mail app" }).click();
  await look(sam, "connect");
  await sam.getByLabel("Name of the device").fill("Phone");
  await press(sam, "Make a password");
  const app = await sam.locator(".secret").innerText();
  await look(sam, "connect-password");
  await inbox("sam", app);
  await press(sam, "Show the code");
  await sam.getByRole("img", { name: "QR code" }).waitFor();
  await look(sam, "connect-code");
  const scanned = scan(await sam.getByRole("img", { name: "QR code" }).screenshot());
  const tablet = await person("sam", { viewport: { width: 390, height: 844 } });
  await tablet.goto(scanned);
  await press(tablet, "Sign in on this device");
  await tablet.getByRole("heading", { name: "Connect your mail app" }).waitFor();
  await tablet.context().close();
  const [profile] = await Promise.all([sam.waitForEvent("download"), sam.getByRole("link", { name: "load the profile" }).click()]);
  keep("sam", "profile.mobileconfig", readFileSync(await profile.path()));
  await sam.goto(base + "/account/passwords");
  await says(sam, "Phone");
  await look(sam, "passwords");

  // On the platform Sam isn't signed in here, and the browser keeps no cookies of ours: the platform's link says who writes.
  const visitor = await person("sam", { storageState: { cookies: [], origins: [] } });
  await visitor.goto(`http://localhost:${PLATFORM}/script`);
  const form = visitor.frameLocator("iframe");
  await form.getByLabel("Subject").fill("Ophelia, on Tuesday?");
  await visitor.waitForFunction(() => document.querySelector("iframe").style.height.endsWith("px"), null, { timeout: 30000 });
  await look(visitor, "embedded");
  need(await form.getByLabel("What is it about?").inputValue() === "hamlet/ophelia", "the role is chosen");
  await form.getByLabel("Message").fill("   ");
  await press(form, "Send");
  await form.getByRole("alert").waitFor();
  need((await form.getByRole("alert").innerText()).includes("The message is empty"), "the form says what is wrong");
  need(await form.getByLabel("Subject").inputValue() === "Ophelia, on Tuesday?", "the form keeps what was typed");
  await look(visitor, "embedded-wrong");
  await form.getByLabel("Message").fill("Dear Tess,\nwould you read for Ophelia on Tuesday?\nSam");
  await form.getByLabel("Files").setInputFiles({ name: "Ophelia, act 4.txt", mimeType: "text/plain", buffer: Buffer.from("There's rosemary, that's for remembrance.\n") });
  await press(form, "Send");
  await form.getByRole("heading", { name: "Your message has been sent" }).waitFor();
  await look(visitor, "embedded-sent");
  await visitor.context().close();

  // The same without a script, on a page of its own, on a phone.
  const phone = await person("sam", { javaScriptEnabled: false, viewport: { width: 390, height: 844 } });
  await phone.goto(`${base}/contact/tess?${new URLSearchParams(signed("sam", "tess"))}`);
  await phone.getByLabel("Subject").fill("One more thing");
  await phone.getByLabel("Message").fill("Bring flowers.");
  await press(phone, "Send");
  await says(phone, "Your message has been sent");
  await phone.context().close();
  await sam.goto(base + "/contact/tess");
  await look(sam, "contact");
  await sam.goto(base + "/account/conversations");
  await says(sam, "Ophelia, on Tuesday?");
  await look(sam, "conversations");

  // Tess answers by regular e-mail; Sam reads it in a mail app.
  const first = await mailTo("tess", /rosemary|Ophelia, act 4/);
  const alias = first.text.match(/^From:[^<]*<(t-[a-z2-7]{26}@msg\.test)>/m)[1];
  const answer = await smtp(real.tess, alias, "Re: Ophelia, on Tuesday?", "I would love to.\r\nTess");
  need(/^250/.test(answer), `Tess's answer is taken: ${answer}`);
  const read = await inbox("sam", app);
  need(read.includes("I would love to."), "Sam reads the answer");
  need(!mailed.some((m) => m.to === real.sam && m.text.includes("I would love to.")), "Sam gets one mail a day, not this one");

  // Tess has enough: she blocks and reports by the link in the mail.
  const tess = await person("tess");
  const link = unfold(first.text).match(/http:\S+\/block\/[a-z2-7]{26}/)[0];
  await tess.goto(link);
  await look(tess, "block");
  await tess.getByRole("textbox").fill("He asks for flowers.");
  await press(tess, "Block and report");
  await says(tess, "is blocked");
  await look(tess, "blocked-done");
  const again = [...read.matchAll(/^From:[^<]*<(t-[a-z2-7]{26}@msg\.test)>/gm)].at(-1)[1];
  const taken = await smtp(real.sam, again, "Re: Ophelia, on Tuesday?", "Hello? Are you there?");
  need(/^250/.test(taken), `the blocked one is not told: ${taken}`);
  need(!(await inbox("tess", "tess-secret")).includes("Are you there?"), "it goes nowhere that Tess sees");

  // She signs in by a mailed link, looks, and takes everything with her.
  await tess.goto(base + "/account");
  await tess.getByLabel("Your name here").fill(real.tess);
  await press(tess, "Mail me a link instead");
  await look(tess, "link-mailed");
  await tess.goto(unfold((await mailTo("tess", /\/signin\//)).text).match(/http:\S+\/signin\/[a-z2-7]{26}/)[0]);
  await look(tess, "signin-link");
  await press(tess, "Sign in on this device");
  await tess.goto(base + "/account/conversations");
  await tess.getByLabel("Mail about “Ophelia, on Tuesday?”").selectOption("Never");
  await press(tess, "Save for “Ophelia, on Tuesday?”");
  await says(tess, "Your choice has been saved.");
  await tess.goto(base + "/account/blocked");
  await says(tess, "Sam Casting");
  await look(tess, "blocked");
  await tess.goto(unfold(first.text).match(/http:\S+\/alerts\/[a-z2-7]{26}/)[0]);
  await look(tess, "alerts-link");
  await tess.goto(base + "/account/data");
  await look(tess, "data");
  const [everything] = await Promise.all([tess.waitForEvent("download"), press(tess, "Download")]);
  const zip = readFileSync(await everything.path());
  keep("tess", "everything.zip", zip);
  need(zip.subarray(0, 2).toString() === "PK" && zip.includes("account.json") && zip.includes("INBOX.mbox"), "the export is an archive of the mailboxes");
  await tess.getByLabel("Write your name").fill("tess");
  await press(tess, "Remove my account");
  await says(tess, "Your account has been removed");
  await look(tess, "removed");
  await tess.goto(base + "/account");
  need(tess.url().includes("/signin"), "the session is over");

  // What Sam finds of her.
  await sam.goto(base + "/contact/tess");
  await says(sam, "There is no such member");
  await sam.goto(base + "/account/conversations");
  await says(sam, "Former member");
  await inbox("sam", app);
  await press(sam, "Sign out");
  await says(sam, "You are signed out");
  await look(sam, "signed-out");
}

try {
  await journey();
} catch (err) {
  failures++;
  console.log("FAIL", err.message);
} finally {
  await browser.close();
  internet.close();
  platform.close();
}
console.log(failures ? `${failures} failures` : `ok   the journey: ${pages} looks at pages, ${mailed.length} mails, ${kept} answers and files kept`);
process.exit(failures ? 1 : 0);
