"""XML documents of books, read without entities, external files or much memory."""

from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from pipeline.errors import ScriptError

DEPTH_MAX = 200


def parse(data: bytes, name: str) -> Element:
    """Parse an XML document; a document type is ignored, entities are refused.

    Raises:
        ScriptError: it is not well-formed, declares entities, or is nested too deeply.
    """
    try:
        root: Element = defusedxml.ElementTree.fromstring(data)
    except ParseError as error:
        raise ScriptError(1, f"{name} is not well-formed XML: {error}") from None
    except DefusedXmlException:
        raise ScriptError(1, f"{name} declares entities, which are not read") from None
    except (LookupError, ValueError) as error:
        raise ScriptError(1, f"{name} cannot be decoded: {error}") from None
    _refuse_deep(root, name)
    return root


def _refuse_deep(root: Element, name: str) -> None:
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > DEPTH_MAX:
            raise ScriptError(1, f"{name} is nested more than {DEPTH_MAX} levels deep")
        level = [child for element in level for child in element]


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
