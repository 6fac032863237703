"""What .ci/thunderbird does in Thunderbird's window: steps over Marionette, the remote control that Gecko has built in. A step is JavaScript with
Thunderbird's own objects; what it returns is checked here. Usage: thunderbird.py PORT STEP [ARGUMENT...]"""
import json, socket, sys, time

class Marionette:
    """The protocol: LENGTH:JSON, both ways; [0, id, command, parameters] is answered by [1, id, error, result]."""
    def __init__(self, port):
        for _ in range(300):
            try: self.socket = socket.create_connection(('127.0.0.1', port), timeout=180); break
            except OSError: time.sleep(.2)
        else: sys.exit('Thunderbird does not answer')
        self.file, self.last = self.socket.makefile('rb'), 0
        self.read() # its greeting
        self.command('WebDriver:NewSession', {})
        self.command('Marionette:SetContext', {'value': 'chrome'})
        self.command('WebDriver:SetTimeouts', {'script': 150000})
    def read(self):
        length = b''
        while (c := self.file.read(1)) != b':':
            if not c: sys.exit('Thunderbird closed the connection')
            length += c
        return json.loads(self.file.read(int(length)))
    def command(self, name, parameters):
        self.last += 1
        body = json.dumps([0, self.last, name, parameters]).encode()
        self.socket.sendall(b'%d:%s' % (len(body), body))
        _, _, error, result = self.read()
        if error: sys.exit('FAIL Thunderbird, %s: %s' % (sys.argv[2], error['message']))
        return result
    def run(self, script, *arguments):
        """Runs the body of an async function; "a" are its arguments."""
        body = 'const [...a] = arguments, done = a.pop(); (async () => {' + PRELUDE + script + '})().then(v => done({v}), e => done({e: String(e) + e.stack}));'
        out = self.command('WebDriver:ExecuteAsyncScript', {'script': body, 'args': list(arguments), 'sandbox': 'system', 'newSandbox': True})['value']
        if 'e' in out: sys.exit('FAIL Thunderbird, %s: %s' % (sys.argv[2], out['e']))
        return out.get('v')

PRELUDE = r'''
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const wait = ms => new Promise(r => main().setTimeout(r, ms));
const main = () => Services.wm.getMostRecentWindow("mail:3pane");
const until = async (what, f) => { for (let n = 0; n < 600; n++) { let v; try { v = await f(); } catch (e) { v = null; } if (v) return v; await wait(100); } throw new Error("in vain: " + what); };
const pane = () => main().document.getElementById("tabmail").tabInfo[0].chromeBrowser.contentWindow;
const server = () => MailServices.accounts.accounts.map(x => x.incomingServer).find(s => s.type == "imap");
const Flags = Ci.nsMsgFolderFlags;
const folder = use => server().rootFolder.getFolderWithFlags(Flags[use]);
const messages = f => [...f.messages];
const subject = h => (h.flags & Ci.nsMsgMessageFlags.HasRe ? "Re: " : "") + h.mime2DecodedSubject;
const find = (f, text) => messages(f).filter(h => subject(h).includes(text)).sort((x, y) => y.messageKey - x.messageKey)[0];
const update = f => new Promise(r => { const t = main().setTimeout(r, 5000); f.QueryInterface(Ci.nsIMsgImapMailFolder).updateFolderWithListener(null, { OnStartRunningUrl() {}, OnStopRunningUrl() { main().clearTimeout(t); r(); } }); });
const show = async f => { pane().displayFolder(f.URI); await until("the view of " + f.name, () => pane().gViewWrapper?.displayedFolder?.URI == f.URI && pane().gDBView); };
const select = async (f, text) => { await show(f); const h = await until(text, () => find(f, text)); const v = pane().gDBView; v.doCommand(Ci.nsMsgViewCommandType.expandAll);
  pane().threadTree.selectedIndex = await until("its row", () => { const i = v.findIndexOfMsgHdr(h, true); return i < 0xffffffff && i >= 0 ? i + 1 : 0; }) - 1; await wait(300); return h; };
const send = async text => { const w = await until("the window to write in", () => { const w = Services.wm.getMostRecentWindow("msgcompose"); return w?.gMsgCompose?.editor && !w.gWindowLocked && w; });
  await wait(500); w.gMsgCompose.editor.QueryInterface(Ci.nsIEditor).beginningOfDocument(); w.gMsgCompose.editor.insertText(text); const to = w.gMsgCompose.compFields.to; w.goDoCommand("cmd_sendNow"); await until("that it is sent", () => w.closed); return to; };
'''

# The account dialog's own objects: fetch autoconfig, take the member's name and address, make the account.
SETUP = r'''
const { FetchConfig } = ChromeUtils.importESModule("resource:///modules/accountcreation/FetchConfig.sys.mjs");
const { AccountConfig } = ChromeUtils.importESModule("resource:///modules/accountcreation/AccountConfig.sys.mjs");
const { CreateInBackend } = ChromeUtils.importESModule("resource:///modules/accountcreation/CreateInBackend.sys.mjs");
await until("the window", () => main()?.document.readyState == "complete");
const [name, address, password, certificate] = a, config = await FetchConfig.fromISP(address.split("@")[1], address, new AbortController().signal);
AccountConfig.replaceVariables(config, name, address, password);
config.rememberPassword = true;
const cert = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).constructX509FromBase64(certificate); // the self-signed one, as "Confirm Security Exception" does
for (const x of [config.incoming, config.outgoing]) Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService).rememberValidityOverride(x.hostname, x.port, {}, cert, false);
await CreateInBackend.createAccountInBackend(config);
const plain = x => [x.type, x.hostname, x.port, x.socketType, x.username];
return { incoming: plain(config.incoming), outgoing: plain(config.outgoing), name: config.displayName };'''

READY = r'''
await until("the window", () => main()?.document.readyState == "complete" && pane()?.document.readyState == "complete");
server().rootFolder.subFolders; server().performBiff(null);
await until("the folders", () => folder("Inbox") && folder("SentMail") && folder("Archive") && folder("Trash") && folder("Junk") && folder("Drafts"));
await show(folder("Inbox"));
await until(a[0] + " messages", () => folder("Inbox").getTotalMessages(false) >= Number(a[0]) && pane().gDBView.rowCount > 0);
return { windows: [...Services.wm.getEnumerator(null)].map(w => w.document.documentElement.getAttribute("windowtype") || w.location.href),
  bars: [...main().document.querySelectorAll("notification-message")].filter(n => n.getAttribute("value") != "calendarDeactivated").map(n => `${n.getAttribute("value")}: ${n.messageText?.textContent}`), inbox: folder("Inbox").getTotalMessages(false) };'''

STEPS = {
    'setup': SETUP,
    'ready': READY,
    'folders': r'''for (const f of server().rootFolder.descendants) await update(f); return Object.fromEntries(server().rootFolder.descendants.map(f => [f.URI.split("/").slice(3).map(decodeURIComponent).join("/"), [f.getTotalMessages(false), f.getNumUnread(false)]]));''',
    'threads': r'''await show(folder("Inbox")); pane().gViewWrapper.showThreaded = true; await wait(300); const v = pane().gDBView; v.doCommand(Ci.nsMsgViewCommandType.expandAll); await wait(300);
      return Array.from({ length: v.rowCount }, (_, i) => { const h = v.getMsgHdrAt(i); return [v.getLevel(i), subject(h), h.mime2DecodedAuthor, h.isRead]; });''',
    'reply': r'''const h = await select(folder("Inbox"), a[0]); const n = folder("SentMail").getTotalMessages(false); main().goDoCommand("cmd_reply"); const to = await send(a[1]);
      await until("the copy in Sent", async () => { await update(folder("SentMail")); return messages(folder("SentMail")).length > n; });
      const copies = messages(folder("SentMail")).filter(x => subject(x) == "Re: " + subject(h).replace(/^Re: /, "")); const newest = copies.sort((x, y) => y.messageKey - x.messageKey)[0];
      return { to, copies: copies.length, answers: newest.getStringReference(newest.numReferences - 1) == h.messageId, marked: (h.flags & Ci.nsMsgMessageFlags.Replied) != 0 };''',
    'archive': r'''const id = (await select(folder("Inbox"), a[0])).messageId; main().goDoCommand("cmd_archive"); await until("that it is gone", () => !messages(folder("Inbox")).some(x => x.messageId == id));
      return await until("where it went", async () => { for (const f of folder("Archive").descendants) { await update(f); if (messages(f).some(x => x.messageId == id)) return f.URI.split("/").slice(3).join("/"); } });''',
    'search': r'''const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession), term = session.createTerm(), hits = [];
      Services.prefs.setStringPref("mailnews.customHeaders", "X-Production: X-Role");
      const at = { from: "Sender", to: "ToOrCC", subject: "Subject", body: "Body" }[a[0]];
      term.attrib = at ? Ci.nsMsgSearchAttrib[at] : Ci.nsMsgSearchAttrib.OtherHeader + 1; if (!at) term.arbitraryHeader = a[0];
      term.op = Ci.nsMsgSearchOp.Contains; const value = term.value; value.attrib = term.attrib; value.str = a[1]; term.value = value; session.appendTerm(term);
      session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, folder(a[2] || "Inbox"));
      await new Promise(r => { session.registerListener({ QueryInterface: ChromeUtils.generateQI(["nsIMsgSearchNotify"]), onSearchHit(h) { hits.push(subject(h)); }, onNewSearch() {}, onSearchDone() { r(); } }); session.search(null); });
      return hits.sort();''',
    'arrives': r'''await show(folder("Inbox")); await until(a[0], () => find(folder("Inbox"), a[0])); return true;''',
    'read all': r'''folder("Inbox").markAllMessagesRead(null); await until("that all are read", () => folder("Inbox").getNumUnread(false) == 0); return true;''',
    'offline': r'''await show(folder("Inbox")); Services.io.offline = true; const h = find(folder("Inbox"), a[0]); folder("Inbox").markMessagesFlagged([h], true); return Services.io.offline;''',
    'online': r'''Services.io.offline = false; Cc["@mozilla.org/messenger/offline-manager;1"].getService(Ci.nsIMsgOfflineManager).goOnline(false, true, null);
      await until(a[0], async () => { await update(folder("Inbox")); return find(folder("Inbox"), a[0]); }); return true;''',
}

def main():
    m, step, arguments = Marionette(int(sys.argv[1])), sys.argv[2], sys.argv[3:]
    if step == 'quit':
        m.command('Marionette:Quit', {'flags': ['eAttemptQuit']})
    else:
        print(json.dumps(m.run(STEPS[step], *arguments), ensure_ascii=False))

main()
