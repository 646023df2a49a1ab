"""The mail step's own process, and that of mails about runs: makes one message and hands it to the server."""

from __future__ import annotations

import mimetypes
import os
import re
import smtplib
import ssl
import sys
from collections.abc import Iterable, Mapping
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import formatdate, getaddresses, make_msgid, quote
from typing import Any

from dagfs.executors.child.task import fail, take, told

_ADDRESS = re.compile(r"[^@]+@[^@]+")
_SEPARATING = str.maketrans("", "", ' \t"\\,;<>()')


def main() -> None:
    task = take()
    try:
        message, to = compose(task)
        _send(task["smtp"], message, to)
    except smtplib.SMTPResponseException as error:
        fail(f"mail: the server says {error.smtp_code} {_text(error.smtp_error)}")
    except smtplib.SMTPRecipientsRefused as error:
        said = "; ".join(f"{who}: {code} {_text(why)}" for who, (code, why) in error.recipients.items())
        fail(f"mail: the server refuses {said}")
    except (OSError, ValueError, MessageError, smtplib.SMTPException) as error:
        fail(f"mail: {told(error)}")
    sys.stdout.write(f"sent to {', '.join(to)}\n")


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said


def compose(task: Mapping[str, Any]) -> tuple[EmailMessage, list[str]]:
    """The message and everybody who gets it. Raises ValueError, OSError."""
    server = task["smtp"]
    sender = task.get("from") or server["from"] or server["username"]
    if not sender:
        raise ValueError("nobody is named as the sender: give it `from`")
    to, cc, bcc = (_addresses(task.get(name)) for name in ("to", "cc", "bcc"))
    if not to:
        raise ValueError("nobody is named as the receiver: give it `to`")
    message = EmailMessage()
    message["From"] = _one_line("from", sender)
    message["To"] = ", ".join(to)
    if cc:
        message["Cc"] = ", ".join(cc)
    if task.get("reply_to"):
        message["Reply-To"] = _one_line("reply_to", task["reply_to"])
    message["Subject"] = " ".join(str(task.get("subject") or "").split())
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = make_msgid(domain="dagfs.invalid")
    message.set_content(task["message"] or "", subtype="html" if task.get("html") else "plain")
    for path in task.get("attachments") or ():
        _attach(message, path)
    return message, [address for _, address in getaddresses([*to, *cc, *bcc])]


def _addresses(said: Iterable[str] | None) -> list[str]:
    return [address for each in said or () for address in _parsed(_one_line("address", each))]


def _parsed(entry: str) -> list[str]:
    """The addresses of an entry. ValueError where one is none, or where some of the text would be lost."""
    found = [(name, address) for name, address in getaddresses([entry]) if name or address]
    is_whole = _folded("".join(map("".join, found))) == _folded(entry)
    if not is_whole or not all(_ADDRESS.fullmatch(each) and each in entry for _, each in found):
        raise ValueError(f"{entry.strip()!r} is no mail address")
    return [f'"{quote(name)}" <{address}>' if name else address for name, address in found]


def _folded(text: str) -> list[str]:
    """Its characters without what only separates, in an order of their own: a comment may go before."""
    return sorted(text.translate(_SEPARATING))


def _one_line(what: str, text: str) -> str:
    if "\n" in text or "\r" in text:
        raise ValueError(f"the {what} holds a line break")
    return text


def _attach(message: EmailMessage, path: str) -> None:
    with open(path, "rb") as file:
        data = file.read()
    kind, packed = mimetypes.guess_type(path)
    if path.endswith(".log"):
        kind = "text/plain"
    main_type, _, sub_type = (kind if kind and not packed else "application/octet-stream").partition("/")
    message.add_attachment(data, maintype=main_type, subtype=sub_type, filename=os.path.basename(path))


def _send(server: Mapping[str, Any], message: EmailMessage, to: list[str]) -> None:
    context = ssl.create_default_context(cafile=server["ca_file"] or None)
    if server["skip_tls_verify"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with _connected(server, context) as link:
        if server["username"]:
            link.login(server["username"], server["password"])
        refused = link.send_message(message, to_addrs=to)
    if refused:
        raise smtplib.SMTPRecipientsRefused(refused)


def _connected(server: Mapping[str, Any], context: ssl.SSLContext) -> smtplib.SMTP:
    host, port, tls, limit = (
        server["host"],
        int(server["port"]),
        server["tls"],
        float(server["timeout"] or 3600),
    )
    if tls == "implicit" or (tls == "auto" and port == 465):
        return smtplib.SMTP_SSL(host, port, timeout=limit, context=context)
    link = smtplib.SMTP(host, port, timeout=limit)
    try:
        link.ehlo_or_helo_if_needed()
        if tls == "starttls" or (tls == "auto" and link.has_extn("starttls")):
            link.starttls(context=context)
            link.ehlo()
        elif server["password"] and tls != "none":
            raise ValueError(
                "the server offers no TLS, so the password is not sent; `smtp.tls: none` sends it in clear"
            )
    except BaseException:
        link.close()
        raise
    return link


if __name__ == "__main__":
    main()
