"""XML documents of books, read without entities, external files or much memory."""

from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from pipeline.errors import ScriptError

DEPTH_MAX = 200


def parse(data: bytes, name: str) -> Element:
    """Parse an XML document; a document type is ignored, entities are refused.

    Raises:
        ScriptError: it is not well-formed, declares entities, or is nested too deeply.
    """
    parser = DefusedXMLParser(target=_ShallowTree(name))
    try:
        parser.feed(data)
        root: Element = parser.close()
    except ParseError as error:
        raise ScriptError(1, f"{name} is not well-formed XML: {error}") from None
    except DefusedXmlException:
        raise ScriptError(1, f"{name} declares entities, which are not read") from None
    except (LookupError, ValueError) as error:
        raise ScriptError(1, f"{name} cannot be decoded: {error}") from None
    return root


class _ShallowTree(TreeBuilder):
    """Elements up to a depth."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name, self._depth = name, 0

    def start(self, tag: str, attrs: dict[str, str]) -> Element:
        """Open an element.

        Raises:
            ScriptError: it is nested too deeply.
        """
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise ScriptError(1, f"{self._name} is nested more than {DEPTH_MAX} levels deep")
        return super().start(tag, attrs)

    def end(self, tag: str) -> Element:
        """Close an element."""
        self._depth -= 1
        return super().end(tag)


def local(element: Element) -> str:
    """Name of an element without its namespace.

    >>> local(Element("{http://www.idpf.org/2007/opf}package"))
    'package'
    """
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Element, name: str) -> str:
    """Value of an attribute in any namespace, empty if it is missing."""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


def text_of(element: Element) -> str:
    """All text within an element, white space folded."""
    return " ".join("".join(element.itertext()).split())


def children(element: Element, name: str) -> list[Element]:
    """Children of a name in any namespace."""
    return [child for child in element if local(child) == name]


def descendants(element: Element, name: str) -> list[Element]:
    """Elements of a name in any namespace, at any depth."""
    return [child for child in element.iter() if local(child) == name]
