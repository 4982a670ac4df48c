"""A mask becomes single objects, numbered through stacks and measured."""
