"""A checker for the part of JSON Schema that bench/configs/results.schema.json uses; anything else is an error."""

TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
}
ANNOTATIONS = {"$schema", "$defs", "title", "description"}


class Checker:
    """Collects every place where a document breaks its schema."""

    def __init__(self, schema):
        self.root = schema

    def problems(self, document):
        return list(self._check(document, self.root, "$"))

    def _check(self, value, schema, place):
        for keyword, argument in schema.items():
            if keyword in ANNOTATIONS:
                continue
            check = getattr(self, "_" + keyword.replace("$", ""), None)
            if check is None:
                raise ValueError(f"the schema uses '{keyword}', which this checker does not know")
            yield from check(value, argument, schema, place)

    def _ref(self, value, argument, _schema, place):
        yield from self._check(value, self.root["$defs"][argument.rpartition("/")[2]], place)

    def _type(self, value, argument, _schema, place):
        if not TYPES[argument](value):
            yield f"{place}: {value!r:.60} is no {argument}"

    def _const(self, value, argument, _schema, place):
        if value != argument:
            yield f"{place}: {value!r:.60} is not {argument!r}"

    def _enum(self, value, argument, _schema, place):
        if value not in argument:
            yield f"{place}: {value!r:.60} is none of {argument}"

    def _minimum(self, value, argument, _schema, place):
        if TYPES["number"](value) and value < argument:
            yield f"{place}: {value} is below {argument}"

    def _exclusiveMinimum(self, value, argument, _schema, place):
        if TYPES["number"](value) and value <= argument:
            yield f"{place}: {value} is not above {argument}"

    def _minItems(self, value, argument, _schema, place):
        if isinstance(value, list) and len(value) < argument:
            yield f"{place}: {len(value)} elements, not {argument}"

    def _items(self, value, argument, _schema, place):
        for index, element in enumerate(value if isinstance(value, list) else []):
            yield from self._check(element, argument, f"{place}[{index}]")

    def _required(self, value, argument, _schema, place):
        for name in argument:
            if isinstance(value, dict) and name not in value:
                yield f"{place}: no {name}"

    def _properties(self, value, argument, _schema, place):
        for name, schema in argument.items():
            if isinstance(value, dict) and name in value:
                yield from self._check(value[name], schema, f"{place}.{name}")

    def _additionalProperties(self, value, argument, schema, place):
        if argument is not False:
            raise ValueError("only additionalProperties: false is known")
        for name in value if isinstance(value, dict) else ():
            if name not in schema["properties"]:
                yield f"{place}: unknown {name}"

    def _oneOf(self, value, argument, _schema, place):
        found = [list(self._check(value, schema, place)) for schema in argument]
        if sum(not problems for problems in found) != 1:
            yield from min((problems for problems in found if problems), key=len, default=())
            yield f"{place}: fits {sum(not problems for problems in found)} of {len(found)} shapes, not one"
