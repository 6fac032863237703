// Package threading is the domain of the relay: members, productions and
// roles, threads, reply aliases, messages and the mailboxes that show them.
//
// It holds types and rules and does no I/O. The SQL that keeps them is in
// threading/store, the key that seals real addresses in threading/seal, and
// the MIME structure of a stored message in threading/mimetree.
//
// The words are used everywhere in the same sense:
//
//   - a member's real address is the secret the program keeps; the contact
//     address HANDLE@DOMAIN is public and is the member's own address in a
//     mail client;
//   - a thread is one conversation; a reply alias t-TOKEN@DOMAIN belongs to
//     one (thread, viewer, other participant) and only its viewer may write
//     to it;
//   - an item is one viewer's copy of a message: a header block of its own
//     and a body that all viewers share. An entry is an item's place in a
//     mailbox: (mailbox, UID) and its flags. An item never changes.
package threading
