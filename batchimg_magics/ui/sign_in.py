"""Show in a notebook how to sign in with a device code."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchimg_magics.connection.sign_in import SignInPrompt

__all__ = ["display_prompt", "prompt_html"]


def display_prompt(prompt: SignInPrompt) -> bool:
    """Display the page and the code in the output of the running cell; return False outside of IPython."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None:
        return False
    shell.display_pub.publish({"text/plain": prompt.text, "text/html": prompt_html(prompt)})
    return True


def prompt_html(prompt: SignInPrompt) -> str:
    """Return the instruction as HTML. Page and code come from the sign-in service."""
    page = escape(prompt.url)
    # Only web pages become links.
    link = f'<a href="{page}" target="_blank" rel="noopener">{page}</a>' if prompt.url.startswith("https://") else page
    return (
        f"<div>To sign in, open {link} and enter the code <b>{escape(prompt.code)}</b> "
        f"(until {prompt.expires:%H:%M} UTC)</div>"
    )
