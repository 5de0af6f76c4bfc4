"""Forms with files. Starlette reads them, and keeps a large file in a temporary one."""

from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser


class Parser(MultiPartParser):
    """Refuses a form that was cut short, of which Starlette would leave the last part out without a word.

    It closes the files of a form that ends early, whatever ended it: a limit, a sender who hangs up, a damaged part.
    """

    _is_whole = False

    def on_end(self) -> None:
        """The boundary that ends the form has come."""
        self._is_whole = True

    async def parse(self) -> FormData:
        """The form. Its files are closed with it. Raises `MultiPartException`, and what reading the request raises."""
        is_whole = False
        try:
            form = await super().parse()
            is_whole = self._is_whole
        finally:
            for file in () if is_whole else self._files_to_close_on_error:
                file.close()
        if not is_whole:
            raise MultiPartException("the form ends before its last boundary")
        return form
