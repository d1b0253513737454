"""What is a customer, a dish, an order, an offer, a segment, and what follows from them? Every pure decision."""
