"""What the bridge sends a browser to the sign-in page with."""

from dataclasses import asdict, dataclass, fields

from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of docs/own-sign-in-page.md; the optional ones are empty if they were not sent."""

    request: str
    client_id: str = ""
    prompt: str = ""
    login_hint: str = ""
    ui_locales: str = ""

    @property
    def ends_session(self) -> bool:
        """Whether the user must act, whoever is signed in."""
        return "login" in self.prompt.split()

    def sent(self) -> dict[str, str]:
        """The parameters by name, without the empty ones."""
        return {name: value for name, value in asdict(self).items() if value}

    @property
    def asks_anew(self) -> bool:
        """Whether the form is shown to a browser that is signed in, too."""
        return self.ends_session or "select_account" in self.prompt.split()


def asked(sent: MultiDict[str, str]) -> Asked:
    """What a query or a form asks. BadRequest without `request`, or if one of the parameters comes twice."""
    names = [field.name for field in fields(Asked)]
    if any(len(sent.getlist(name)) > 1 for name in names):
        raise BadRequest("A parameter of this page came twice. Begin again in the app.")
    if not sent.get("request"):
        raise BadRequest("The parameter “request” is missing: this page is reached from the bridge. Begin in the app.")
    return Asked(**{name: sent[name] for name in names if name in sent})
